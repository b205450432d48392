package main

import "testing"

// The conditions of the page, in the repository that init writes, are named as the page shows.
func TestStrategiesPageNamesWhatCanNeverBe(t *testing.T) {
	t.Parallel()
	r := read(t, "docs/strategies.md", "## Names and types", "| mistake |")
	out, err := r.shell("scanflow init first").CombinedOutput()
	if err != nil {
		t.Fatal(string(out))
	}
	r.dir += "/first"
	r.edit(heavyRego, "\tinput.signals.memory.value > input.params.bound\n", r.blocks[0].text)
	r.runs(r.step("scanflow check"))
}
