# METADATA
# title: Weekend freeze
# description: |
#   From Friday 18:00 to Monday 06:00, by the clock of Madrid, no model changes and no pod is
#   restarted. Scaling, traffic and messages pass. So does a rollback, which ends an incident.
# custom:
#   verbs: [model.serve, model.promote, place, restart]
package scanflow.guards.freeze

import data.scanflow.lib.schedule

# METADATA
# title: Frozen
# description: The clock is within the freeze, and this is no rollback.
deny contains "frozen from Friday 18:00 to Monday 06:00 (Europe/Madrid)" if {
	schedule.between("Fri 18:00", "Mon 06:00", "Europe/Madrid", input.now_ns)
	input.proposal.strategy != "serving.rollback"
}
