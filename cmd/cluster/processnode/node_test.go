package processnode

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	batchv1client "k8s.io/client-go/kubernetes/typed/batch/v1"
)

func TestADeploymentServesScalesAndRollsOver(t *testing.T) {
	b := newBench(t)
	b.node("")
	b.cluster.Apply(t, b.deployment(1, "", "", "VERSION", "one"))
	first := b.ready(1)[0]
	require.Equal(t, first.Name, b.ask(&first, "/"))
	require.Equal(t, corev1.PodRunning, first.Status.Phase)
	require.NotEmpty(t, first.Status.PodIPs)
	c := main0(&first)
	require.NotNil(t, c.State.Running)
	require.True(t, *c.Started)
	require.Equal(t, "registry.example/main:1", c.Image)
	require.NotEmpty(t, c.ImageID)
	require.NotEmpty(t, c.ContainerID)

	b.cluster.Apply(t, b.deployment(3, "", "", "VERSION", "one"))
	addresses := map[string]bool{}
	for _, p := range b.ready(3) {
		addresses[p.Status.PodIP] = true
		require.Equal(t, p.Name, b.ask(&p, "/"))
	}
	require.Len(t, addresses, 3)

	b.cluster.Apply(t, b.deployment(3, "", "", "VERSION", "two"))
	b.until("all pods are of the new version, and never fewer than 3 were ready", func() bool {
		list, err := b.core.Pods(b.ns).List(t.Context(), metav1.ListOptions{LabelSelector: "app=web"})
		require.NoError(t, err)
		ready, old := 0, 0
		for i := range list.Items {
			if isReady(&list.Items[i]) && list.Items[i].DeletionTimestamp == nil {
				ready++
			}
			if list.Items[i].Spec.Containers[0].Env[3].Value == "one" {
				old++
			}
		}
		require.GreaterOrEqual(t, ready, 3)
		return old == 0 && len(list.Items) == 3
	})
	for _, p := range b.ready(3) {
		require.Equal(t, "two", b.ask(&p, "/env?name=VERSION"))
	}

	previous := b.ready(3)
	b.cluster.Apply(t, b.deployment(0, "", "", "VERSION", "two"))
	b.ready(0)
	for _, p := range previous {
		require.Empty(t, b.ask(&p, "/"), "its process must be gone")
	}
}

func TestEnvironmentAndVolumes(t *testing.T) {
	b := newBench(t)
	b.node("")
	b.cluster.Apply(t, b.pod("p", `
serviceAccountName: default
volumes:
- {name: scratch-1, emptyDir: {}}
- {name: settings, configMap: {name: settings, items: [{key: a, path: sub/a.txt}]}}
- {name: keys, secret: {secretName: keys}}
- {name: none, configMap: {name: absent, optional: true}}`, `
envFrom: [{configMapRef: {name: settings}, prefix: S_}, {secretRef: {name: absent, optional: true}}]`))
	p := b.get("p")
	b.until("it waits for its ConfigMap and Secret", func() bool {
		p = b.get("p")
		w := main0(p).State.Waiting
		return w != nil && w.Reason == "CreateContainerConfigError" && strings.Contains(w.Message, "settings") && strings.Contains(w.Message, "keys")
	})
	require.Equal(t, corev1.PodPending, p.Status.Phase)
	b.cluster.Apply(t, `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: `+b.ns+`}
data: {a: "1 $(HOSTNAME)", b: two}
---
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: `+b.ns+`}
stringData: {k: hush}
`)
	b.until("it runs", func() bool { p = b.get("p"); return isReady(p) && b.ask(p, "/") != "" })
	env := func(name string) string { return b.ask(p, "/env?name="+name) }
	require.Equal(t, "1 $(HOSTNAME)", env("S_a"), "what a ConfigMap says is not expanded")
	require.Equal(t, "two", env("S_b"))
	for volume, file := range map[string]string{"settings": "/sub/a.txt", "keys": "/k"} {
		folder := env(VolumeVariable(volume))
		require.FileExists(t, folder+file)
	}
	scratch := env("SCANFLOW_VOLUME_SCRATCH_1")
	require.DirExists(t, scratch)
	require.NoError(t, b.core.Pods(b.ns).Delete(t.Context(), "p", metav1.DeleteOptions{}))
	b.gone("p")
	require.NoDirExists(t, scratch)
}

func TestReferencesInEnv(t *testing.T) {
	b := newBench(t)
	b.node("")
	b.cluster.Apply(t, `
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: `+b.ns+`}
stringData: {k: hush}
`)
	text := b.pod("p", "", "")
	field := func(path string) string { return "valueFrom: {fieldRef: {fieldPath: " + path + "}}}" }
	text = strings.Replace(text, "  env: [", "  env: [{name: KEY, valueFrom: {secretKeyRef: {name: keys, key: k}}}, {name: NONE, valueFrom: {configMapKeyRef: {name: absent, key: absent, optional: true}}}, "+
		"{name: POD, "+field("metadata.name")+", {name: NS, "+field("metadata.namespace")+", {name: UID, "+field("metadata.uid")+
		", {name: NODE, "+field("spec.nodeName")+", {name: HOST, "+field("status.hostIP")+", ", 1)
	b.cluster.Apply(t, text)
	var p *corev1.Pod
	b.until("it runs", func() bool { p = b.get("p"); return isReady(p) && b.ask(p, "/") != "" })
	for name, want := range map[string]string{
		"KEY": "hush", "NONE": "", "POD": "p", "NS": b.ns, "UID": string(p.UID), "NODE": b.name, "HOST": p.Status.HostIP, "POD_IP": p.Status.PodIP,
	} {
		require.Equal(t, want, b.ask(p, "/env?name="+name), name)
	}
	require.NotEqual(t, p.Status.HostIP, p.Status.PodIP)
}

func TestACrashIsRestartedWithBackOff(t *testing.T) {
	b := newBench(t)
	b.node("")
	b.cluster.Apply(t, b.pod("p", "", "readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}"))
	var p *corev1.Pod
	for crash := range int32(2) {
		b.until("it is ready", func() bool { p = b.get("p"); return isReady(p) && main0(p).RestartCount == crash })
		id := main0(p).ContainerID
		b.ask(p, "/exit")
		if crash == 1 {
			b.until("it backs off", func() bool {
				p = b.get("p")
				w := main0(p).State.Waiting
				return w != nil && w.Reason == "CrashLoopBackOff"
			})
			require.False(t, isReady(p))
		}
		b.until("it was restarted", func() bool { p = b.get("p"); return main0(p).RestartCount == crash+1 && main0(p).State.Running != nil })
		last := main0(p).LastTerminationState.Terminated
		require.NotNil(t, last)
		require.EqualValues(t, 4, last.ExitCode)
		require.Equal(t, "Error", last.Reason)
		require.Equal(t, id, last.ContainerID)
		require.NotEqual(t, id, main0(p).ContainerID)
	}
	require.Equal(t, corev1.PodRunning, p.Status.Phase)
}

func TestJobs(t *testing.T) {
	b := newBench(t)
	b.node("")
	jobs, err := batchv1client.NewForConfig(b.cluster.Client().Config)
	require.NoError(t, err)
	for name, exit := range map[string]string{"good": "0", "bad": "7"} {
		b.cluster.Apply(t, "apiVersion: batch/v1\nkind: Job\nmetadata: {name: "+name+", namespace: "+b.ns+"}\nspec:\n  backoffLimit: 0\n  template:\n    spec:\n"+
			indent(b.spec("restartPolicy: Never", "", "EXIT", exit), 6))
	}
	ends := func(name string, as batchv1.JobConditionType) *corev1.ContainerStateTerminated {
		b.until(name+" is "+string(as), func() bool {
			j, err := jobs.Jobs(b.ns).Get(t.Context(), name, metav1.GetOptions{})
			require.NoError(t, err)
			for _, c := range j.Status.Conditions {
				if c.Type == as && c.Status == corev1.ConditionTrue {
					return true
				}
			}
			return false
		})
		list, err := b.core.Pods(b.ns).List(t.Context(), metav1.ListOptions{LabelSelector: "job-name=" + name})
		require.NoError(t, err)
		require.Len(t, list.Items, 1)
		end := main0(&list.Items[0]).State.Terminated
		require.NotNil(t, end)
		require.False(t, end.FinishedAt.IsZero())
		return end
	}
	good := ends("good", batchv1.JobComplete)
	require.EqualValues(t, 0, good.ExitCode)
	require.Equal(t, "Completed", good.Reason)
	require.EqualValues(t, 7, ends("bad", batchv1.JobFailed).ExitCode)
}

func TestAntiAffinity(t *testing.T) {
	b := newBench(t)
	b.node(".a")
	b.node(".b")
	b.cluster.Apply(t, b.deployment(3, "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}]}}", ""))
	var running, waiting []corev1.Pod
	b.until("two run and one waits", func() bool {
		list, err := b.core.Pods(b.ns).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		running, waiting = nil, nil
		for _, p := range list.Items {
			switch {
			case isReady(&p):
				running = append(running, p)
			case p.Status.Phase == corev1.PodPending && len(p.Status.Conditions) > 0 && p.Status.Conditions[0].Reason == corev1.PodReasonUnschedulable:
				waiting = append(waiting, p)
			}
		}
		return len(running) == 2 && len(waiting) == 1
	})
	require.NotEqual(t, running[0].Spec.NodeName, running[1].Spec.NodeName)
	require.NotEqual(t, running[0].Status.HostIP, running[1].Status.HostIP)
	require.Empty(t, waiting[0].Spec.NodeName)
}

func TestDeletionGracePeriod(t *testing.T) {
	b := newBench(t)
	b.node("")
	told := b.file("told")
	b.cluster.Apply(t, b.pod("deaf", "", "", "IGNORE_TERM", "1", "ON_TERM", told))
	var p *corev1.Pod
	b.until("it serves", func() bool { p = b.get("deaf"); return isReady(p) && b.ask(p, "/") != "" })
	grace := int64(1)
	began := time.Now()
	require.NoError(t, b.core.Pods(b.ns).Delete(t.Context(), "deaf", metav1.DeleteOptions{GracePeriodSeconds: &grace}))
	b.until("it was told", func() bool { _, err := os.Stat(told); return err == nil })
	require.NotEmpty(t, b.get("deaf").DeletionTimestamp)
	b.gone("deaf")
	require.GreaterOrEqual(t, time.Since(began), time.Second)
	require.Less(t, time.Since(began), 4*time.Second, "the deletion's own grace counts, not the pod's")
	require.Empty(t, b.ask(p, "/"))
}

func TestForcedDeletionEndsTheProcess(t *testing.T) {
	b := newBench(t)
	b.node("")
	b.cluster.Apply(t, b.pod("p", "", "", "IGNORE_TERM", "1"))
	var p *corev1.Pod
	b.until("it serves", func() bool { p = b.get("p"); return isReady(p) && b.ask(p, "/") != "" })
	none := int64(0)
	require.NoError(t, b.core.Pods(b.ns).Delete(t.Context(), "p", metav1.DeleteOptions{GracePeriodSeconds: &none}))
	b.gone("p")
	b.until("its process is gone", func() bool { return b.ask(p, "/") == "" })
}

func TestInitContainersRunInOrder(t *testing.T) {
	b := newBench(t)
	b.node("")
	file := b.file("order")
	step := func(name string) string {
		return "- {name: " + name + ", image: none, command: [sh, -c, 'echo " + name + " >> " + file + "']}\n"
	}
	b.cluster.Apply(t, b.pod("p", "initContainers:\n"+step("one")+step("two"), ""))
	var p *corev1.Pod
	b.until("it runs", func() bool { p = b.get("p"); return isReady(p) })
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "one\ntwo\n", string(raw))
	require.Len(t, p.Status.InitContainerStatuses, 2)
	for _, c := range p.Status.InitContainerStatuses {
		require.True(t, c.Ready)
		require.NotNil(t, c.State.Terminated)
	}

	b.cluster.Apply(t, b.pod("q", "restartPolicy: Never\ninitContainers:\n- {name: bad, image: none, command: [sh, -c, exit 9]}\n", ""))
	b.until("a failed init container fails a pod that is not restarted", func() bool { p = b.get("q"); return p.Status.Phase == corev1.PodFailed })
	require.EqualValues(t, 9, p.Status.InitContainerStatuses[0].State.Terminated.ExitCode)
	require.Nil(t, main0(p).State.Running)
}

func TestUnsupportedFieldsAreNamed(t *testing.T) {
	b := newBench(t)
	b.node("")
	b.cluster.Apply(t, b.pod("p", `
activeDeadlineSeconds: 5
volumes: [{name: disk, hostPath: {path: /}}]
initContainers: [{name: side, image: none, command: ["true"], restartPolicy: Always}]`, "lifecycle: {postStart: {exec: {command: [\"true\"]}}}"))
	var p *corev1.Pod
	b.until("it is refused", func() bool {
		p = b.get("p")
		w := main0(p).State.Waiting
		return w != nil && w.Reason == "Unsupported"
	})
	for _, field := range []string{"activeDeadlineSeconds", "volumes[0]", "initContainers[0].restartPolicy", "containers[0].lifecycle.postStart"} {
		require.Contains(t, main0(p).State.Waiting.Message, field)
	}
	require.Equal(t, corev1.PodPending, p.Status.Phase)
	b.until("an event says it", func() bool {
		list, err := b.core.Events(b.ns).List(t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.name=p,reason=Unsupported"})
		return err == nil && len(list.Items) == 1 && strings.Contains(list.Items[0].Message, "volumes[0]")
	})
	require.NoError(t, b.core.Pods(b.ns).Delete(t.Context(), "p", metav1.DeleteOptions{}))
	b.gone("p")

	two := strings.Replace(b.pod("q", "", ""), "containers:\n", "containers:\n  - {name: second, image: none, command: [sleep, \"60\"]}\n", 1)
	b.cluster.Apply(t, two)
	b.until("two containers are refused", func() bool {
		w := main0(b.get("q")).State.Waiting
		return w != nil && w.Reason == "Unsupported" && strings.Contains(w.Message, "this has 2")
	})
}

func TestLogs(t *testing.T) {
	b := newBench(t)
	b.node("")
	b.cluster.Apply(t, b.pod("p", "", ""))
	var p *corev1.Pod
	b.until("it serves", func() bool { p = b.get("p"); return isReady(p) && b.ask(p, "/") != "" })
	read := func(o *corev1.PodLogOptions) string {
		raw, err := b.core.Pods(b.ns).GetLogs("p", o).DoRaw(t.Context())
		require.NoError(t, err)
		return string(raw)
	}
	one, none := int64(1), int64(0)
	want := "listening on " + p.Status.PodIP + ":8080\n"
	require.Equal(t, want, read(&corev1.PodLogOptions{}))
	require.Equal(t, want, read(&corev1.PodLogOptions{TailLines: &one}))
	require.Empty(t, read(&corev1.PodLogOptions{TailLines: &none}))
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	followed := make(chan string, 1)
	go func() {
		raw, _ := b.core.Pods(b.ns).GetLogs("p", &corev1.PodLogOptions{Follow: true}).DoRaw(ctx)
		followed <- string(raw)
	}()
	require.NoError(t, b.core.Pods(b.ns).Delete(t.Context(), "p", metav1.DeleteOptions{}))
	require.Equal(t, want, <-followed, "following ends with the pod")
}
