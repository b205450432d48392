# METADATA
# title: Requests
# description: Events by which one agent asks another to do something to a target.
package scanflow.lib.request

# METADATA
# title: A request about this target
# description: |
#   True where the event that fired is of that type and about the target that is
#   decided on. An event fires its agent for every target of the fleet.
about(type) if {
	input.trigger.event.type == type
	input.trigger.event.subject == concat("/", [input.target.namespace, input.target.name])
}
