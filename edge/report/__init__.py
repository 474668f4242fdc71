"""What leaves the device: one report of a slide, and who writes it as HTML, PDF, CSV, JSON, FHIR, DICOM."""
