"""What do people change, and what do they ask to be done? Each within what may concern them."""
