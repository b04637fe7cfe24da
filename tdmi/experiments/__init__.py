"""Run folders: build, train, predict, verify, reproduce, plan, explain."""
