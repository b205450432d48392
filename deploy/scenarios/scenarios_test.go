// Package scenarios_test renders the case studies by kubectl's own kustomize, and has a
// real API server judge what comes out.
package scenarios_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

func TestMain(m *testing.M) { testcluster.Main(m) }

const kustomizationFile = "kustomization.yaml"

// eachScenario runs a test for each folder.
func eachScenario(t *testing.T, test func(t *testing.T, name string)) {
	t.Helper()
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, e := range entries {
		if e.IsDir() {
			t.Run(e.Name(), func(t *testing.T) { test(t, e.Name()) })
		}
	}
}

// kustomization is the part of such a file that names other files.
type kustomization struct {
	Resources, Components, Configurations []string
	Patches                               []struct{ Path string }
}

func (k *kustomization) files() (out []string) {
	out = slices.Concat(k.Resources, k.Components, k.Configurations)
	for _, p := range k.Patches {
		out = append(out, p.Path)
	}
	return out
}

func readKustomization(t *testing.T, dir string) (k kustomization) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, kustomizationFile))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(raw, &k))
	return k
}

// manifests are the files that a folder's resources are, those of its bases too.
func manifests(t *testing.T, dir string) (out []string) {
	t.Helper()
	for _, r := range readKustomization(t, dir).Resources {
		path := filepath.Join(dir, r)
		info, err := os.Stat(path)
		require.NoError(t, err)
		if info.IsDir() {
			out = append(out, manifests(t, path)...)
		} else {
			out = append(out, path)
		}
	}
	return out
}

func render(t *testing.T, dir string) string {
	t.Helper()
	kubectl, err := testcluster.Binary(t.Context())
	require.NoError(t, err)
	c := exec.CommandContext(t.Context(), kubectl, "kubectl", "kustomize", dir)
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	require.NoError(t, err, said.String())
	require.Empty(t, said.String(), "warnings")
	return string(out)
}

// objects are those of a YAML stream.
func objects(t *testing.T, text string) (out []*unstructured.Unstructured) {
	t.Helper()
	decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		o := &unstructured.Unstructured{}
		if err := decoder.Decode(&o.Object); err != nil {
			return out
		}
		if len(o.Object) > 0 {
			out = append(out, o)
		}
	}
}

func ofKind(list []*unstructured.Unstructured, kind string) (out []*unstructured.Unstructured) {
	for _, o := range list {
		if o.GetKind() == kind {
			out = append(out, o)
		}
	}
	return out
}

// Every file of a folder is in its kustomization, and every folder is in the README.
func TestNoFileIsLeftOut(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	eachScenario(t, func(t *testing.T, name string) {
		require.Contains(t, string(readme), "| `"+name+"` |")
		named := map[string]bool{}
		var dirs []string
		require.NoError(t, filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Name() == kustomizationFile {
				dirs = append(dirs, filepath.Dir(path))
			}
			return err
		}))
		require.Contains(t, dirs, name)
		for _, dir := range dirs {
			k := readKustomization(t, dir)
			for _, file := range k.files() {
				named[filepath.Join(dir, file)] = true
			}
		}
		for _, dir := range dirs {
			require.True(t, dir == name || named[dir], "%s is a component or a base of none", dir)
		}
		require.NoError(t, filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && d.Name() != kustomizationFile {
				require.True(t, named[path], "%s is in no kustomization", path)
			}
			return err
		}))
	})
}

// An image in a folder's kustomization replaces the image everywhere.
func TestImagesAreReplacedEverywhere(t *testing.T) {
	eachScenario(t, func(t *testing.T, name string) {
		copied := t.TempDir()
		for _, dir := range []string{"modeldebug", "scenarios"} {
			require.NoError(t, os.CopyFS(filepath.Join(copied, dir), os.DirFS(filepath.Join("..", dir))))
		}
		file := filepath.Join(copied, "scenarios", name, kustomizationFile)
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(raw), "newName: scanflow, newTag: latest")
		changed := strings.Replace(string(raw), "newName: scanflow, newTag: latest", "newName: registry.example/scanflow, newTag: v1", 1)
		require.NoError(t, os.WriteFile(file, []byte(changed), 0o600))
		n := 0
		for _, o := range objects(t, render(t, filepath.Dir(file))) {
			if kind := o.GetKind(); kind == "Deployment" || kind == "WorkflowTemplate" {
				for _, image := range imagesIn(o.Object) {
					require.Equal(t, "registry.example/scanflow:v1", image, "%s %s", kind, o.GetName())
					n++
				}
			}
		}
		require.Positive(t, n)
	})
}

// imagesIn are the values of all fields called image.
func imagesIn(v any) (out []string) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if text, is := value.(string); is && key == "image" {
				out = append(out, text)
			} else {
				out = append(out, imagesIn(value)...)
			}
		}
	case []any:
		for _, value := range v {
			out = append(out, imagesIn(value)...)
		}
	}
	return out
}

// The API server takes every object, and makes the pods of Deployments and of workflows'
// steps in a namespace that takes none but the strictest.
func TestTheAPIServerTakesIt(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers", "workflow", "workflowtemplate", "httproute")
	eachScenario(t, func(t *testing.T, name string) {
		text := render(t, name)
		list := objects(t, text)
		names := ofKind(list, "Namespace")
		require.Len(t, names, 1)
		require.Equal(t, "restricted", names[0].GetLabels()["pod-security.kubernetes.io/enforce"])
		namespace := names[0].GetName()
		t.Cleanup(func() { deleteNamespace(t, c, namespace) })
		c.Apply(t, text)
		for _, o := range list {
			require.True(t, o.GetKind() == "Namespace" || o.GetNamespace() == namespace, "%s %s", o.GetKind(), o.GetName())
		}
		for _, d := range ofKind(list, "Deployment") {
			awaitPods(t, c, namespace, d)
		}
		for _, w := range ofKind(list, "WorkflowTemplate") {
			makeSteps(t, c, namespace, w)
		}
	})
}

var (
	namespaces  = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	pods        = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
)

// within bounds what is waited for.
const within = 30 * time.Second

// deleteNamespace waits until it is gone, as the next scenario may have one of that name.
func deleteNamespace(t *testing.T, c *testcluster.Cluster, name string) {
	ctx := context.Background() // the test's has ended
	resource := c.Client().Dynamic.Resource(namespaces)
	require.NoError(t, resource.Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}))
	require.Eventually(t, func() bool {
		_, err := resource.Get(ctx, name, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}, within, 50*time.Millisecond)
}

// awaitPods waits until a Deployment has its pods; they wait for a node, of which there is none.
func awaitPods(t *testing.T, c *testcluster.Cluster, namespace string, d *unstructured.Unstructured) {
	t.Helper()
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		o, err := c.Client().Dynamic.Resource(deployments).Namespace(namespace).Get(context.Background(), d.GetName(), metav1.GetOptions{})
		require.NoError(t, err)
		want, _, err := unstructured.NestedInt64(o.Object, "spec", "replicas")
		require.NoError(t, err)
		made, _, err := unstructured.NestedInt64(o.Object, "status", "replicas")
		require.NoError(t, err)
		conditions, _, err := unstructured.NestedSlice(o.Object, "status", "conditions")
		require.NoError(t, err)
		require.Positive(t, want)
		require.Equal(t, want, made, "%s: %v", d.GetName(), conditions)
		require.NotContains(t, fmt.Sprint(conditions), "FailedCreate")
	}, within, 50*time.Millisecond)
}

// makeSteps makes the pod of each step, as Argo's controller would, without keeping it.
func makeSteps(t *testing.T, c *testcluster.Cluster, namespace string, w *unstructured.Unstructured) {
	t.Helper()
	spec, _, err := unstructured.NestedMap(w.Object, "spec")
	require.NoError(t, err)
	templates, _, err := unstructured.NestedSlice(spec, "templates")
	require.NoError(t, err)
	made := 0
	for _, raw := range templates {
		template, _ := raw.(map[string]any)
		container, is := template["container"].(map[string]any)
		if !is {
			continue
		}
		container = maps.Clone(container)
		container["name"] = "main"
		pod := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"generateName": w.GetName() + "-", "namespace": namespace},
			"spec": map[string]any{"containers": []any{container}, "securityContext": spec["securityContext"], "restartPolicy": "Never"},
		}}
		if volumes, given := spec["volumes"]; given {
			require.NoError(t, unstructured.SetNestedField(pod.Object, volumes, "spec", "volumes"))
		}
		_, err := c.Client().Dynamic.Resource(pods).Namespace(namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		require.NoError(t, err, "%s, step %v", w.GetName(), template["name"])
		made++
	}
	require.Positive(t, made)
}

// A step writes its artifacts, and nowhere else, into a volume: the rest of its files is
// read-only, and nobody's.
func TestStepsWriteIntoAVolume(t *testing.T) {
	eachScenario(t, func(t *testing.T, name string) {
		for _, w := range ofKind(objects(t, render(t, name)), "WorkflowTemplate") {
			templates, _, err := unstructured.NestedSlice(w.Object, "spec", "templates")
			require.NoError(t, err)
			for _, raw := range templates {
				template, _ := raw.(map[string]any)
				for _, path := range artifactPaths(template) {
					mounts, _, err := unstructured.NestedSlice(template, "container", "volumeMounts")
					require.NoError(t, err)
					require.True(t, slices.ContainsFunc(mounts, func(m any) bool {
						mount, _ := m.(map[string]any)
						return mount["mountPath"] == filepath.Dir(path)
					}), "%s, step %v: %s is in no volume", w.GetName(), template["name"], path)
				}
			}
		}
	})
}

// artifactPaths returns the paths at which a template's container reads and writes artifacts.
func artifactPaths(template map[string]any) (out []string) {
	for _, in := range []string{"inputs", "outputs"} {
		artifacts, _, _ := unstructured.NestedSlice(template, in, "artifacts")
		for _, a := range artifacts {
			artifact, _ := a.(map[string]any)
			if path, is := artifact["path"].(string); is {
				out = append(out, path)
			}
		}
	}
	return out
}

// The tracking server is named in one place: every workload is told the same.
func TestOneTrackingServer(t *testing.T) {
	eachScenario(t, func(t *testing.T, name string) {
		text := render(t, name)
		require.NotContains(t, text, "127.0.0.1", "a pod's own address")
		if told := strings.Count(text, "http://mlflow.mlflow.svc:5000"); told > 0 {
			require.Equal(t, 3, told, "the classifier, and two workflows")
		}
	})
}

// "scanflow check" accepts the manifests that ship, with the policies that ship.
func TestAgentsAndWorkloadsAreChecked(t *testing.T) {
	c := testcluster.Shared(t)
	built, err := c.BuildBinaries(t.Context())
	require.NoError(t, err)
	eachScenario(t, func(t *testing.T, name string) {
		args := []string{"check", "--kubernetes", "--policies", filepath.Join("..", "..", "policies")}
		agents := 0
		for _, file := range manifests(t, name) {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			switch kind := objects(t, string(raw))[0].GetKind(); kind {
			case "Agent":
				args = append(args, "-f", file)
				agents++
			case "Namespace", "HorizontalPodAutoscaler": // of a cluster alone
			default:
				args = append(args, "--workloads", file)
			}
		}
		out, err := exec.CommandContext(t.Context(), built.Scanflow, args...).CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), fmt.Sprintf("ok: %d agents", agents))
		require.NotContains(t, string(out), "warning", string(out))
	})
}
