package manifest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

func TestMain(m *testing.M) { testcluster.Main(m) }

// sampleServer is an API server that has the custom resource of the sample kinds,
// and the namespaces that the manifests of testdata are in.
func sampleServer(t *testing.T) *server {
	t.Helper()
	c := testcluster.Shared(t)
	definition, err := CRD(sampleKinds())
	require.NoError(t, err)
	for _, namespace := range []string{"mlperf", "other"} {
		c.Apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+namespace+"}\n")
	}
	c.Apply(t, string(definition))
	client, err := rest.HTTPClientFor(c.Client().Config)
	require.NoError(t, err)
	definitions := c.Client().Dynamic.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	var conditions map[string]string
	require.Eventually(t, func() bool {
		o, err := definitions.Get(context.Background(), CRDName, metav1.GetOptions{})
		require.NoError(t, err)
		conditions = conditionsOf(o)
		return conditions["Established"] == "True"
	}, 30*time.Second, 20*time.Millisecond, "conditions %v", conditions)
	require.NotContains(t, conditions, "NonStructuralSchema")
	return &server{url: c.Client().Config.Host, client: client}
}

func conditionsOf(o *unstructured.Unstructured) map[string]string {
	out := map[string]string{}
	list, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, raw := range list {
		condition := raw.(map[string]any)
		out[condition["type"].(string)] = condition["status"].(string)
	}
	return out
}

type server struct {
	url    string
	client *http.Client
}

// create asks for the object as a dry run, strictly, as kubectl does; the text is
// sent as it is. It returns the object as it would be stored, or what the server
// objects to.
func (s *server) create(t *testing.T, text string) (stored []byte, refusal string) {
	t.Helper()
	target := s.url + "/apis/" + APIVersion + "/namespaces/" + namespaceOf(text) + "/" + Plural + "?dryRun=All&fieldValidation=Strict"
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(text))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/yaml")
	request.Header.Set("Accept", "application/json")
	answer, err := s.client.Do(request)
	require.NoError(t, err)
	defer func() { require.NoError(t, answer.Body.Close()) }()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	if answer.StatusCode == http.StatusCreated {
		return body, ""
	}
	var status metav1.Status
	require.NoError(t, json.Unmarshal(body, &status), "%s", body)
	require.NotEmpty(t, status.Message)
	return nil, status.Message
}

// namespaceOf returns the namespace of a document's metadata.
func namespaceOf(text string) string {
	var o struct {
		Metadata struct{ Namespace string }
	}
	if err := sigsyaml.Unmarshal([]byte(text), &o); err != nil || o.Metadata.Namespace == "" {
		return "default"
	}
	return o.Metadata.Namespace
}

// documents are the objects of a file, as kubectl takes them apart.
func documents(t *testing.T, file string) []string {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	var out []string
	for _, text := range strings.Split(string(raw), "---\n") {
		var o map[string]any
		if err := sigsyaml.Unmarshal([]byte(text), &o); err != nil || len(o) > 0 {
			out = append(out, text)
		}
	}
	return out
}

// A valid file is valid as a custom resource, and is the same agent, except for references to the
// process.
func TestTheServerTakesGoodManifests(t *testing.T) {
	s := sampleServer(t)
	agents := good(t)
	files, err := filepath.Glob("testdata/good/*.y*ml")
	require.NoError(t, err)
	for _, file := range files {
		for _, text := range documents(t, file) {
			stored, refusal := s.create(t, text)
			require.Empty(t, refusal, file)
			got, mistakes := ReadObject("cluster", stored, sampleKinds())
			want := agents[0]
			agents = agents[1:]
			piped, err := readStdin(`{"apiVersion": "v1", "kind": "List", "items": [` + string(stored) + "]}")
			require.NoError(t, err, "as kubectl prints it")
			require.Equal(t, want.Info(), piped.Agents[0].Info())
			require.Equal(t, generation(t, want), generation(t, piped.Agents[0]), file)
			if own := want.processFields(); len(own) > 0 {
				require.Equal(t, own, mistakes)
				continue
			}
			require.NoError(t, mistakes.Err())
			require.Equal(t, generation(t, want), generation(t, got), file)
			require.Equal(t, "cluster: spec.targets: lost", got.MistakeAt("spec.targets", "lost", "").Error())
		}
	}
	require.Empty(t, agents, "each was tried")
}

func generation(t *testing.T, a *Agent) string {
	t.Helper()
	out, err := a.Generation()
	require.NoError(t, err)
	return out
}

// onlyTheReader names the bad files that no schema and no rule at a bounded cost can
// refuse. Scanflow's own reading refuses them then.
var onlyTheReader = []string{
	"credentials_spelling", "guards_approval_notify_elsewhere", "guards_approval_notify_outside", "guards_hold_too_long", "guards_urls_spelling", "headers", "params_key", "params_number_inexact", "ref_names", "sensor_check", "sensor_check_nested", "sensor_since_of_an_object", "targets_static_twice", "too_deep", "trigger_cron_never", "trigger_cron_range",
	"trigger_timezone", "url_with_user_broken", "url_with_user_in_header_key", "url_with_user_in_params",
}

// onlyInYAML names the files with a mistake of syntax, whose object is valid.
var onlyInYAML = []string{"merge_key", "sensor_number_zero", "tag_unknown"}

// otherWords are the server's messages for files whose refusal does not name the field that
// our reader names.
var otherWords = map[string]string{
	"alias_billion_laughs":      "document contains excessive aliasing",
	"alias_in_itself":           "contains itself",
	"api_version_missing":       "the API version in the data () does not match",
	"api_version_unknown":       `in version "v1" cannot be handled`,
	"field_twice":               `key "params" already set in map`,
	"field_twice_in_params":     `key "rate" already set in map`,
	"guards_budget_primitives":  "spec.guards.budget.primitives: ",
	"guards_cooldown_key":       "spec.guards.cooldown: ",
	"guards_cooldown_value":     "spec.guards.cooldown[down]: ",
	"guards_fleet_primitives":   "spec.guards.fleet.primitives: ",
	"guards_urls":               "spec.guards.urls: ",
	"key_not_text":              "invalid map key",
	"name_number":               "cannot unmarshal number into Go struct field ObjectMeta.name",
	"namespace_not_dns":         `namespaces "ml.perf" not found`,
	"params_not_json":           "unsupported value: NaN",
	"secret_env_not_a_name":     "spec.sensors[0].http.headers[X-Token].env: Invalid value: is not the name",
	"secret_no_source":          "spec.sensors[0].http.headers[X-Token]: ",
	"secret_two_sources":        "spec.sensors[0].http.headers[X-Token]: ",
	"sensor_kind_no_value":      "spec.sensors[0]: Invalid value: has no kind",
	"sensor_name_twice":         `spec.sensors[1]: Duplicate value: {"name":"load"}`,
	"sensor_number_large":       "unsupported value: +Inf",
	"strategy_package":          "spec.strategies: ",
	"trigger_alert_named_twice": "spec.triggers[0].alert.matchLabels: Invalid value: holds alertname",
	"trigger_name_twice":        `spec.triggers[1]: Duplicate value: {"name":"tick"}`,
}

// The API server rejects the mistakes that the schema and its rules cover, and names the field.
func TestTheServerRefusesBadManifests(t *testing.T) {
	s := sampleServer(t)
	files, err := filepath.Glob("testdata/bad/*.yaml")
	require.NoError(t, err)
	var taken, written []string
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		_, err := Read([]string{file}, sampleKinds())
		var mistakes mistake.Mistakes
		require.ErrorAs(t, err, &mistakes)
		texts := documents(t, file)
		if len(texts) == 0 {
			continue // an empty file holds no object
		}
		stored, refusal := s.create(t, texts[0])
		if refusal != "" {
			requireNamed(t, name, refusal, mistakes)
			continue
		}
		if _, found := ReadObject("cluster", stored, sampleKinds()); len(found) > 0 {
			taken = append(taken, name)
			for _, m := range found {
				require.Regexp(t, `^(metadata|spec)[.\[]`, m.Error(), "no file, no line")
			}
			continue
		}
		written = append(written, name)
	}
	require.Equal(t, onlyTheReader, taken)
	require.Equal(t, onlyInYAML, written)
}

func requireNamed(t *testing.T, name, refusal string, mistakes mistake.Mistakes) {
	t.Helper()
	if words, ok := otherWords[name]; ok {
		require.Contains(t, refusal, words, name)
		return
	}
	for _, m := range mistakes {
		if m.Path == "" || strings.Contains(refusal, m.Path) {
			return
		}
	}
	t.Errorf("%s: %q does not name a field of\n%s", name, refusal, mistakes)
}
