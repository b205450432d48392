package tracker

var (
	tagEntities = map[string]string{"tag": "tag", "tags": "tag", "attribute": "attribute", "attributes": "attribute", "attr": "attribute"}
	runEntities = map[string]string{
		"metric": "metric", "metrics": "metric",
		"parameter": "parameter", "parameters": "parameter", "param": "parameter", "params": "parameter",
		"tag": "tag", "tags": "tag",
		"attribute": "attribute", "attributes": "attribute", "attr": "attribute", "run": "attribute",
	}
)

// The grammars of the four searches, with MLflow's keys.
var (
	runGrammar = &grammar{
		entities: runEntities,
		filters: map[string]attribute{
			"run_id": {sql: "r.id", list: true}, "run_name": {sql: "r.name", list: true}, "user_id": {sql: "r.user", list: true},
			"status": {sql: "r.status", list: true}, "artifact_uri": {sql: "r.artifact_uri", list: true},
			"start_time": {sql: "r.started", numeric: true}, "end_time": {sql: "r.ended", numeric: true},
			"created": {sql: "r.started", numeric: true}, "Created": {sql: "r.started", numeric: true},
			"run name": {sql: "r.name", list: true}, "Run name": {sql: "r.name", list: true}, "Run Name": {sql: "r.name", list: true},
		},
		orders: map[string]string{
			"run_id": "r.id", "run_name": "r.name", "user_id": "r.user", "status": "r.status", "artifact_uri": "r.artifact_uri",
			"start_time": "r.started", "end_time": "r.ended", "created": "r.started", "Created": "r.started",
			"run name": "r.name", "Run name": "r.name", "Run Name": "r.name",
		},
		rows: map[string]string{
			"metric":    `latest_metrics x WHERE x.run = r.seq`,
			"parameter": `params x WHERE x.run = r.seq`,
			"tag":       `run_tags x WHERE x.run = r.seq`,
		},
		ordersRows: true,
	}
	experimentGrammar = &grammar{
		entities: tagEntities,
		filters: map[string]attribute{
			"name": {sql: "e.name"}, "creation_time": {sql: "e.created", numeric: true}, "last_update_time": {sql: "e.updated", numeric: true},
		},
		orders: map[string]string{"name": "e.name", "experiment_id": "e.id", "creation_time": "e.created", "last_update_time": "e.updated"},
		rows:   map[string]string{"tag": `experiment_tags x WHERE x.experiment = e.id`},
	}
	modelGrammar = &grammar{
		entities: tagEntities,
		filters:  map[string]attribute{"name": {sql: "m.name", list: true}},
		orders:   map[string]string{"name": "m.name", "timestamp": "m.updated", "last_updated_timestamp": "m.updated"},
		rows:     map[string]string{"tag": `model_tags x WHERE x.model = m.id`},
	}
	versionGrammar = &grammar{
		entities: tagEntities,
		filters: map[string]attribute{
			"name": {sql: "m.name", list: true}, "run_id": {sql: "v.run_id", list: true}, "source_path": {sql: "v.source"},
			"version_number": {sql: "v.version", numeric: true}, "creation_timestamp": {sql: "v.created", numeric: true},
			"last_updated_timestamp": {sql: "v.updated", numeric: true},
		},
		orders: map[string]string{"name": "m.name", "version_number": "v.version", "creation_timestamp": "v.created", "last_updated_timestamp": "v.updated"},
		rows:   map[string]string{"tag": `version_tags x WHERE x.model = v.model AND x.version = v.version`},
	}
)
