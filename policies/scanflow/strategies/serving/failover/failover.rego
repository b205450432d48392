# METADATA
# title: Fail over to a backup model, and back
# description: |
#   Sends the traffic of a service to its backup while no replica of the primary
#   is ready, and back once the primary has been ready for a while.
# custom:
#   layer: infrastructure
#   signals:
#     ready_replicas: ready replicas of the primary now
#     ready_replicas_min: the fewest there were over the time that counts as a while
#   params:
#     route: the route that splits the traffic
#     route_kind: "what it is, as `traffic` names it: HTTPRoute, unless said otherwise"
#     primary: backend of the primary
#     backup: backend of the backup
package scanflow.strategies.serving.failover

# METADATA
# title: Primary gone
# description: No replica of the primary is ready.
# custom:
#   layer: infrastructure
propose contains proposal if {
	input.signals.ready_replicas.value == 0
	proposal := {
		"primitive": "traffic",
		"with": shift(0, 100),
		"priority": 90,
		"reason": "primary_not_ready",
		"because": ["ready_replicas"],
	}
}

# METADATA
# title: Primary back
# description: The primary has been ready for a while.
# custom:
#   layer: infrastructure
propose contains proposal if {
	input.signals.ready_replicas.value > 0
	input.signals.ready_replicas_min.value > 0
	proposal := {
		"primitive": "traffic",
		"with": shift(100, 0),
		"priority": 20,
		"reason": "primary_ready_for_a_while",
		"because": ["ready_replicas", "ready_replicas_min"],
	}
}

# The same strategy serves any kind of route that `traffic` knows.
shift(primary, backup) := {
	"route": input.params.route,
	"kind": object.get(input.params, "route_kind", "HTTPRoute"),
	"weights": {input.params.primary: primary, input.params.backup: backup},
}
