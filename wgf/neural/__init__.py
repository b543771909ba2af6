"""Learned gradient flows, one file per published system, named after the system.

Empty until the autodiff layer nests: each system trains through second derivatives.
"""
