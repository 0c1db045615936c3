"""The kernel's passes over rows: sufficient statistics, gradient, information, responsibilities."""
