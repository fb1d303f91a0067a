"""Logins of a provider (OpenID Connect): who is it, and what may they do here?

Only a service with ``[service.oidc]`` loads more of it than the settings.
"""
