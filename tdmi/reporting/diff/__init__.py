"""What has changed between two trees of results: numbers, settings, what they were made with."""
