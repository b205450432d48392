# METADATA
# title: Params
# description: |
#   What is wrong with the value of a param, in words. Each function is undefined where
#   nothing is. `scanflow check` finds a value of another type than the default; these
#   find one that makes no sense.
package scanflow.lib.params

# METADATA
# title: Not above zero
not_above_zero(name, value) := sprintf("params.%s: is no number above 0", [name]) if not above_zero(value)

# METADATA
# title: Below zero
below_zero(name, value) := sprintf("params.%s: is no number of 0 or more", [name]) if not zero_or_more(value)

# METADATA
# title: Not a share
not_a_share(name, value) := sprintf("params.%s: is no share above 0, up to 1", [name]) if not share(value)

# METADATA
# title: Not a count
not_a_count(name, value, least) := sprintf("params.%s: is no whole number of %d or more", [name, least]) if not whole(value, least)

# METADATA
# title: Not a name
not_a_name(name, value) := sprintf("params.%s: is no name", [name]) if not named(value)

# METADATA
# title: Not labels
not_labels(name, value) := sprintf("params.%s: are no labels, at least one, each with a text", [name]) if not labels(value)

above_zero(value) if {
	is_number(value)
	value > 0
}

zero_or_more(value) if {
	is_number(value)
	value >= 0
}

share(value) if {
	above_zero(value)
	value <= 1
}

whole(value, least) if {
	is_number(value)
	value == floor(value)
	value >= least
}

named(value) if {
	is_string(value)
	trim_space(value) != ""
}

labels(value) if {
	is_object(value)
	count(value) > 0
	every key, text in value {
		named(key)
		is_string(text)
	}
}
