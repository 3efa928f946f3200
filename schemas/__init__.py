"""Declarations of the files that come in (manifests) and of the updates that go out."""
