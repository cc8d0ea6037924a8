"""The versions of a published table: their names, their manifests, and how they are published."""
