package scanflow.lib.params_test

import data.scanflow.lib.params

wrong := {
	"params.x: is no number above 0": {v | some v in values; params.not_above_zero("x", v)},
	"params.x: is no number of 0 or more": {v | some v in values; params.below_zero("x", v)},
	"params.x: is no share above 0, up to 1": {v | some v in values; params.not_a_share("x", v)},
	"params.x: is no whole number of 1 or more": {v | some v in values; params.not_a_count("x", v, 1)},
	"params.x: is no name": {v | some v in values; params.not_a_name("x", v)},
	"params.x: are no labels, at least one, each with a text": {v | some v in values; params.not_labels("x", v)},
}

values := {-1, 0, 0.5, 1, 1.5, 2, "1", null, true, [], "", " ", {}, {"a": "b"}, {"": "b"}, {"a": 1}}

test_what_is_wrong[text] if {
	some text, row in {
		"params.x: is no number above 0": {-1, 0, "1", null, true, [], "", " ", {}, {"a": "b"}, {"": "b"}, {"a": 1}},
		"params.x: is no number of 0 or more": {-1, "1", null, true, [], "", " ", {}, {"a": "b"}, {"": "b"}, {"a": 1}},
		"params.x: is no share above 0, up to 1": {-1, 0, 1.5, 2, "1", null, true, [], "", " ", {}, {"a": "b"}, {"": "b"}, {"a": 1}},
		"params.x: is no whole number of 1 or more": {-1, 0, 0.5, 1.5, "1", null, true, [], "", " ", {}, {"a": "b"}, {"": "b"}, {"a": 1}},
		"params.x: is no name": {-1, 0, 0.5, 1, 1.5, 2, null, true, [], "", " ", {}, {"a": "b"}, {"": "b"}, {"a": 1}},
		"params.x: are no labels, at least one, each with a text": {-1, 0, 0.5, 1, 1.5, 2, "1", null, true, [], "", " ", {}, {"": "b"}, {"a": 1}},
	}
	wrong[text] == row
}

test_says_which if {
	params.not_above_zero("x", 0) == "params.x: is no number above 0"
	params.below_zero("x", -1) == "params.x: is no number of 0 or more"
	params.not_a_share("x", 2) == "params.x: is no share above 0, up to 1"
	params.not_a_count("x", 0.5, 1) == "params.x: is no whole number of 1 or more"
	params.not_a_name("x", "") == "params.x: is no name"
	params.not_labels("x", {}) == "params.x: are no labels, at least one, each with a text"
}
