"""What is to be screened: listed from folders or a manifest, and parted into shards of tasks."""
