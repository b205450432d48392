# METADATA
# title: No scale to zero
# description: |
#   No strategy takes the last replica of a workload away, unless the agent's
#   parameters say `allow_scale_to_zero: true`.
# custom:
#   verbs: [scale]
package scanflow.guards.scale_to_zero

# METADATA
# title: The last replica stays
# description: A workload without replicas serves nobody.
deny contains "last_replica" if {
	input.proposal.primitive == "scale"
	input.proposal.with.replicas < 1
	not object.get(input.params, "allow_scale_to_zero", false)
}
