"""The Symphony network: its wire forms, its client, and a mock pod to test against."""
