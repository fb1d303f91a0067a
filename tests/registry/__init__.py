"""Tests of speaking to registries."""
