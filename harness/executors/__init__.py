"""Where tasks run. The seam is `concurrent.futures.Executor`: anything that offers one can carry a matrix."""
