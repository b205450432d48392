# METADATA
# title: Serve the version in production
# description: Keeps the target on the model version that the registry has in production.
# custom:
#   layer: application
#   signals:
#     production: the version that has the alias production
package scanflow.strategies.cookbook.follow

# METADATA
# title: Another version is in production
# description: The target serves another version than the one in production.
# custom:
#   layer: application
propose contains proposal if {
	version := input.signals.production.value.version
	version != input.target.model
	proposal := {
		"primitive": "model.serve",
		"with": {"version": version, "uri": sprintf("models:/digits/%s", [version]), "env": "MODEL_URI"},
		"priority": 50,
		"reason": "other_version_in_production",
		"because": ["production"],
	}
}
