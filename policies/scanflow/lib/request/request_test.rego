package scanflow.lib.request_test

import data.scanflow.lib.request

document(trigger) := {"trigger": trigger, "target": {"namespace": "digits", "name": "digits"}}

test_is_about[note] if {
	some note, row in {
		"this target": {"trigger": {"event": {"type": "asked", "subject": "digits/digits"}}, "is": true},
		"another target of the fleet": {"trigger": {"event": {"type": "asked", "subject": "digits/letters"}}, "is": false},
		"one of that name elsewhere": {"trigger": {"event": {"type": "asked", "subject": "letters/digits"}}, "is": false},
		"something else": {"trigger": {"event": {"type": "told", "subject": "digits/digits"}}, "is": false},
		"nothing": {"trigger": {"event": {"type": "asked"}}, "is": false},
		"no event": {"trigger": {"name": "tick"}, "is": false},
	}
	is_about("asked", document(row.trigger)) == row.is
}

default is_about(_, _) := false

is_about(type, document) if request.about(type) with input as document
