"""What the tests share: real servers, content to fill them with, and witnesses."""
