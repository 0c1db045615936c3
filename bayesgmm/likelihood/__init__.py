"""The E-step: sufficient statistics, gradient, information and responsibilities."""
