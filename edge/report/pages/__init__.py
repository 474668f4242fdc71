"""A report as pages: what stands on them, drawings and words alike, and who writes them as HTML and PDF."""
