# METADATA
# title: Fail over to a backup model, and back
# description: |
#   Sends the traffic of a service to its backup while no replica of the primary
#   is ready, and back, in steps, once the primary has been ready for a while. With
#   the capacities as params it also looks at the backup: nothing is sent to one that
#   has no replica ready, and while the primary is short of replicas the backup gets
#   what the primary can't carry, but no more than its own ready replicas can.
# custom:
#   layer: infrastructure
#   signals:
#     ready_replicas: ready replicas of the primary now
#     ready_replicas_min: the fewest there were over the time that counts as a while
#     backup_ready_replicas: "ready replicas of the backup now; only where `backup_requests_per_second_per_replica` is set"
#     requests_per_second: "requests per second that arrive at the route; only where `primary_requests_per_second_per_replica` is set"
#   params:
#     route: the route that splits the traffic
#     route_kind: "what it is, as `traffic` names it (HTTPRoute)"
#     route_rule: "the rule of the route to change, by its name; needed where several rules have both backends, or the one that has them matches headers"
#     primary: backend of the primary
#     backup: backend of the backup
#     backup_requests_per_second_per_replica: "what one replica of the backup takes, in requests per second; 0: the backup is taken to be there (0)"
#     primary_requests_per_second_per_replica: "what one replica of the primary takes, in requests per second; 0: one that is ready carries all (0)"
#     back_steps: shares of the traffic, in percent, by which the primary gets it back; 100 is always the last ([100])
#     step_ns: how long each of these is held before the next (0)
#     healthy_ns: how long after the traffic went to the backup it stays there at least (0)
#     flap_window_ns: each further loss within this span doubles that time (1 hour)
#     healthy_max_ns: up to this (1 hour)
package scanflow.strategies.serving.failover

import data.scanflow.lib.params

# METADATA
# title: Primary gone
# description: No replica of the primary is ready. The backup is taken to be there.
# custom:
#   layer: infrastructure
propose contains proposal if {
	backup_each == 0
	input.signals.ready_replicas.value == 0
	proposal := {
		"primitive": "traffic",
		"with": shift(100),
		"priority": 90,
		"reason": "primary_not_ready",
		"because": ["ready_replicas"],
		"note": losses,
	}
}

# METADATA
# title: Primary gone, backup there
# description: |
#   No replica of the primary is ready, and one of the backup is. All of the traffic
#   goes there at once, even where that is too much for it.
# custom:
#   layer: infrastructure
propose contains proposal if {
	backup_each > 0
	input.signals.ready_replicas.value == 0
	backup_ready > 0
	proposal := {
		"primitive": "traffic",
		"with": shift(100),
		"priority": 90,
		"reason": "primary_not_ready",
		"because": ["ready_replicas", "backup_ready_replicas"],
		"note": losses,
	}
}

# METADATA
# title: Backup gone, primary there
# description: |
#   The backup has no ready replica, and the primary has one. It changes nothing where the
#   backup has no traffic: what the last act was does not show that for sure.
# custom:
#   layer: infrastructure
propose contains proposal if {
	backup_each > 0
	backup_ready == 0
	positive(input.signals.ready_replicas.value)
	proposal := {
		"primitive": "traffic",
		"with": shift(0),
		"priority": 90,
		"reason": "backup_not_ready",
		"because": ["ready_replicas", "backup_ready_replicas"],
	}
}

# METADATA
# title: Primary short
# description: |
#   The primary has replicas, and too few for the load. The backup gets the rest, in
#   tens of percent, and no more than its ready replicas carry. What it has grows only
#   where they carry ten percent more than that, so that a load that swings a little
#   does not have the route written at each turn.
# custom:
#   layer: infrastructure
propose contains proposal if {
	primary_each > 0
	backup_each > 0
	carried := input.signals.ready_replicas.value * primary_each
	carried > 0
	carried < load
	rest := ceil((10 * (load - carried)) / load) * 10
	share := min([rest, room])
	share > 0
	share >= in_place
	proposal := {
		"primitive": "traffic",
		"with": shift(share),
		"priority": 80,
		"reason": "primary_short",
		"because": ["ready_replicas", "backup_ready_replicas", "requests_per_second"],
	}
}

# METADATA
# title: Backup above its capacity
# description: |
#   The backup has more of the traffic than its ready replicas carry, and the primary
#   has been ready for a while. It keeps what it carries, in tens of percent. An act of
#   this kind that failed is taken again.
# custom:
#   layer: infrastructure
propose contains proposal if {
	primary_each > 0
	backup_each > 0
	positive(input.signals.ready_replicas.value)
	positive(input.signals.ready_replicas_min.value)
	backup_ready > 0
	too_much
	share := min([held, floor(carriable / 10) * 10])
	proposal := {
		"primitive": "traffic",
		"with": shift(share),
		"priority": 70,
		"reason": "backup_above_capacity",
		"because": ["ready_replicas", "ready_replicas_min", "backup_ready_replicas", "requests_per_second"],
	}
}

# METADATA
# title: Primary back
# description: The primary has been ready for a while.
# custom:
#   layer: infrastructure
propose contains proposal if {
	primary_each == 0
	positive(input.signals.ready_replicas.value)
	positive(input.signals.ready_replicas_min.value)
	proposal := {
		"primitive": "traffic",
		"with": shift(100 - returned),
		"priority": 20,
		"reason": "primary_ready_for_a_while",
		"because": ["ready_replicas", "ready_replicas_min"],
	}
}

# METADATA
# title: Primary back, and large enough
# description: The primary has had as many replicas as the load needs for a while.
# custom:
#   layer: infrastructure
propose contains proposal if {
	primary_each > 0
	positive(input.signals.ready_replicas.value)
	positive(input.signals.ready_replicas_min.value)
	load >= 0
	load <= input.signals.ready_replicas_min.value * primary_each
	proposal := {
		"primitive": "traffic",
		"with": shift(100 - returned),
		"priority": 20,
		"reason": "primary_ready_for_a_while",
		"because": ["ready_replicas", "ready_replicas_min", "requests_per_second"],
	}
}

# METADATA
# title: Params with mistakes
# description: |
#   A number makes no sense. The proposal names the mistakes in place of an act: it is
#   refused for its shape. What does not need that number goes on.
# custom:
#   layer: infrastructure
propose contains proposal if {
	count(problems) > 0
	proposal := {
		"primitive": "traffic",
		"with": {"mistakes": sort(problems)},
		"priority": 0,
		"reason": "params_with_mistakes",
		"because": [],
	}
}

# A text is above every number, and "0" is no number.
positive(value) if {
	is_number(value)
	value > 0
}

backup_each := max([0, object.get(input.params, "backup_requests_per_second_per_replica", 0)])

primary_each := max([0, object.get(input.params, "primary_requests_per_second_per_replica", 0)])

# These are by object.get, so that an agent without them may use this strategy too. Where
# a param wants one that the agent lacks, the proposal is made, and refused by its name.
backup_ready := object.get(object.get(input.signals, "backup_ready_replicas", {"value": 1}), "value", -1)

load := object.get(object.get(input.signals, "requests_per_second", {"value": 0}), "value", -1)

# The share of the load, in whole percent, that the backup's ready replicas carry.
carriable := min([100, carried_at_most]) if load > 0

carried_at_most := floor(((100 * backup_ready) * backup_each) / load) if load > 0

# The share that the backup may be given.
room := carriable if in_place == 0

room := max([in_place, min([100, (floor(carried_at_most / 10) * 10) - 10])]) if {
	in_place > 0
	carriable >= in_place
}

too_much if held > carriable

too_much if {
	held > 0
	not succeeded
}

# The same strategy serves any kind of route that `traffic` knows.
shift(backup) := object.union(rule, {
	"route": input.params.route,
	"kind": object.get(input.params, "route_kind", "HTTPRoute"),
	"weights": {input.params.primary: 100 - backup, input.params.backup: backup},
})

rule := {"rule": name | name := object.get(input.params, "route_rule", ""); name != ""}

last := input.memory["serving.failover"].last.traffic

# The backup's share by the last act, whatever came of it.
default held := 0

held := object.get(last, ["with", "weights", input.params.backup], 0)

# What of it is in the route for sure.
default in_place := 0

in_place := held if succeeded

succeeded if last.outcome in {"done", "noop"}

# The primary's share on its way back: what it has, or the step that is due. It is
# proposed at each turn, so that a step that failed is taken again.
default returned := 100

returned := min({s | some s in steps; s > 100 - held}) if {
	held > 0
	due
}

returned := 100 - held if {
	held > 0
	not due
}

steps := {100} | {s | some step in object.get(input.params, "back_steps", [100]); is_number(step); s := ceil(step); s > 0; s < 100}

due if {
	succeeded
	input.now_ns - last.at_ns >= step_ns
	waited
}

waited if count(failovers) == 0

waited if min([abs(input.now_ns - at) | some at in failovers]) >= wait

step_ns := object.get(input.params, "step_ns", 0)

flap_window_ns := object.get(input.params, "flap_window_ns", 3600000000000)

healthy_max_ns := object.get(input.params, "healthy_max_ns", 3600000000000)

healthy_ns := object.get(input.params, "healthy_ns", 0)

wait := max([healthy_ns, min([healthy_max_ns, healthy_ns * bits.lsh(1, count(recent) - 1)])]) if {
	count(recent) > 0
} else := healthy_ns

# When the traffic went to the backup: the last times. A clock that was set back leaves
# some that lie ahead: they count by how far.
failovers := [at |
	some at in object.get(input.memory, ["serving.failover", "note", "failovers"], [])
	is_number(at)
]

recent := [at |
	some at in failovers
	abs(input.now_ns - at) < flap_window_ns
]

# A failover that is tried again, or stands, is counted once.
default losses := {"failovers": []}

losses := {"failovers": failovers} if held == 100

losses := {"failovers": array.slice(all, count(all) - 16, count(all))} if {
	held != 100
	all := array.concat(recent, [input.now_ns])
}

problems contains params.below_zero("backup_requests_per_second_per_replica", object.get(input.params, "backup_requests_per_second_per_replica", 0))

problems contains params.below_zero("primary_requests_per_second_per_replica", object.get(input.params, "primary_requests_per_second_per_replica", 0))

problems contains params.below_zero("step_ns", step_ns)

problems contains params.below_zero("healthy_ns", healthy_ns)

problems contains params.below_zero("flap_window_ns", flap_window_ns)

problems contains params.below_zero("healthy_max_ns", healthy_max_ns)
