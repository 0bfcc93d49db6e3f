"""What operators ask and order over the control socket; each order is audited: who, and why."""
