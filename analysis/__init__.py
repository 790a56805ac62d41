"""What the analyst gets beside the night's own tables, out of the published snapshot; no night needs it."""
