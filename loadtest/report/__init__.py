"""What a run showed: whether the objectives hold, as text, as JSON and as a page with plots."""
