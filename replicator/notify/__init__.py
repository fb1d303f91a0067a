"""Who is told when something stays broken, when it is well again, and when content changed?"""
