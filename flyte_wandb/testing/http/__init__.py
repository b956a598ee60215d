"""HTTP: connections, bodies, which path is answered by whom, and what a test does to requests."""
