package workflow

// node is one use of a template in a run. The tree of them is fixed when the run
// begins.
type node struct {
	path     string // "" for the entrypoint, "train", "train.inner": task names from there
	task     *Task  // nil for the entrypoint
	template *StepTemplate
	parent   *node
	needs    []*node // siblings
	children []*node // of a dag, in the order written
}

// String is what the node is called: its task, or the template that the run begins with.
func (n *node) String() string {
	if n.task == nil {
		return n.template.Name
	}
	return n.task.Name
}

// folder is the name of its folder in the run's.
func (n *node) folder() string {
	if n.path == "" {
		return n.template.Name
	}
	return n.path
}

func (n *node) sibling(task string) *node {
	for _, s := range n.parent.children {
		if s.task.Name == task {
			return s
		}
	}
	return nil
}

// compile makes the nodes of a template that Check has found nothing wrong with.
func compile(s *Spec) *node {
	return build(s, &node{template: s.template(s.Entrypoint)})
}

func build(s *Spec, n *node) *node {
	if n.template.DAG == nil {
		return n
	}
	for i := range n.template.DAG.Tasks {
		task := &n.template.DAG.Tasks[i]
		path := task.Name
		if n.path != "" {
			path = n.path + "." + task.Name
		}
		n.children = append(n.children, &node{path: path, task: task, template: s.template(task.Template), parent: n})
	}
	for _, child := range n.children {
		names, _ := child.task.needs() // Check has read them
		for _, name := range names {
			child.needs = append(child.needs, child.sibling(name))
		}
		build(s, child)
	}
	return n
}

// walk visits a node and all below it, in the order written.
func (n *node) walk(visit func(*node)) {
	visit(n)
	for _, c := range n.children {
		c.walk(visit)
	}
}
