"""The command line: what the operator, the analyst and the integrator type."""
