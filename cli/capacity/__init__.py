"""How much of everything a load needs: queueing formulas over demands that were measured. `frond capacity`."""
