"""Store and forward: finished slides go to a FHIR server when there is a link, and wait until it has them."""
