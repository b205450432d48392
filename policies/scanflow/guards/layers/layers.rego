# METADATA
# title: Layers
# description: |
#   While another agent changes what a target serves (a workflow such as a
#   retraining, a model on its way in, a shift of traffic), no agent of the
#   infrastructure layer takes pods away from it, moves them, restarts them, or
#   turns its traffic. It waits: its proposals stand, and pass once the change has
#   ended. An agent that names no layer is bound too.
#
#   What helps a target passes: more replicas, and traffic away from one that has
#   no replica ready.
# custom:
#   verbs: [autoscaler, place, restart, scale, traffic]
package scanflow.guards.layers

# METADATA
# title: Under change
# description: Another agent's change is running, and this would cut across it. The reason says whose.
deny contains sprintf("under_change: %s holds %s", [claim.agent, name]) if {
	not application
	cuts_across
	some name, claim in input.claims
	changes(name)
	claim.state == "running"
	claim.agent != input.proposal.agent
}

application if input.agent.layer == "application"

changes("model")

changes("traffic")

changes(name) if startswith(name, "model/")

changes(name) if startswith(name, "workflow/")

cuts_across if {
	input.proposal.primitive == "scale"
	not keeps_replicas
}

# An autoscaler that may not have as many takes the rest away.
cuts_across if {
	input.proposal.primitive == "autoscaler"
	input.proposal.with.max
	not keeps_room
}

# `place` of a workflow, or of a template of workflows, does not touch the target's pods.
cuts_across if {
	input.proposal.primitive == "place"
	not of_a_workflow
}

cuts_across if input.proposal.primitive == "restart"

cuts_across if {
	input.proposal.primitive == "traffic"
	not serves_nobody
}

of_a_workflow if input.proposal.with.workflow != ""

of_a_workflow if input.proposal.with.template != ""

# None of these holds where the target's size is not known.
keeps_replicas if input.proposal.with.replicas >= input.target.replicas.desired

keeps_room if input.proposal.with.max >= input.target.replicas.desired

serves_nobody if input.target.replicas.ready == 0
