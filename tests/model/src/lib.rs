//! Whole runs over a real model server.
