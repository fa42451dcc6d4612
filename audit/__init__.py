"""What needs a Node.js and a browser: `make audit`."""
