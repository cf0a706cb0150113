"""The distinct pieces of work, their keys, what is known of them, and what is pending."""
