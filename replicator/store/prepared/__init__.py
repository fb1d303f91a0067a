"""Statements that SQLAlchemy has compiled for SQLite in advance.

To load SQLAlchemy and to have it compile thirty statements is two fifths of the CPU of a
`replicate run` that finds everything in step. So what a run asks of a database is written with
SQLAlchemy in ``sources``, as everywhere, and `make prepared` writes what SQLite is told of it into
``statements``, which needs nothing but the standard library. A server's database is spoken to by
SQLAlchemy as before, with the same sources.
"""
