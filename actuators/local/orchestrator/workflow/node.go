package workflow

// node is one use of a template in a run. The tree of nodes is fixed when the run starts.
type node struct {
	path     string // "" for the entrypoint, "train", "train.inner": task names from there
	task     *Task  // nil for the entrypoint
	template *StepTemplate
	parent   *node
	needs    []*node // siblings
	children []*node // of a dag, in the order of the template
}

// String returns the name of the task, or of the entrypoint's template.
func (n *node) String() string {
	if n.task == nil {
		return n.template.Name
	}
	return n.task.Name
}

// folder returns the name of the node in folder names.
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

// buildTree returns the root node of a valid template.
func buildTree(s *Spec) *node {
	return addChildren(s, &node{template: s.template(s.Entrypoint)})
}

func addChildren(s *Spec, n *node) *node {
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
		names, _ := child.task.needs() // validated by Check
		for _, name := range names {
			child.needs = append(child.needs, child.sibling(name))
		}
		addChildren(s, child)
	}
	return n
}

// walk visits a node and its descendants in the order of the template.
func (n *node) walk(visit func(*node)) {
	visit(n)
	for _, c := range n.children {
		c.walk(visit)
	}
}
