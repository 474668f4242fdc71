"""Many slides on many machines: an archive is listed, screened by the device's line, and kept as Parquet.

`edge-archive run` leads from `plan` (what is to be screened, in shards of tasks) over `crew` (Ray) and
`screener` (a task: the line over whole slides) to `shards` (fragments of tasks become the output's files).
"""
