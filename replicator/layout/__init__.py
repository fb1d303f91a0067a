"""Image layouts on disk, standing where a repository can stand. (image-spec, image-layout.md)"""
