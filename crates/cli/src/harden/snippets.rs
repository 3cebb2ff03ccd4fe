//! How files that were prepared beside an image come into its containers.

use std::path::Path;

use confine_image::Addition;

/// Name of the container's profile in the folder.
pub const PROFILE: &str = "seccomp.json";

/// What to write for `docker run`, Compose and Kubernetes.
pub fn snippets(image: &str, folder: &Path, addition: &Addition) -> String {
    let paths: Vec<&str> = addition.files().map(|(path, _)| path).collect();
    let folder = folder.display();
    let mut text = format!("# docker run\ndocker run --security-opt seccomp={folder}/{PROFILE}");
    for path in &paths {
        text += &format!(" \\\n  --volume {folder}{path}:{path}:ro");
    }
    text += &format!(" \\\n  {image}\n");
    text +=
        &format!("\n# Compose, below the service\nsecurity_opt:\n  - seccomp:{folder}/{PROFILE}\nvolumes:\n");
    for path in &paths {
        text += &format!("  - {folder}{path}:{path}:ro\n");
    }
    text += "\n# Kubernetes: the files on each node; the profile below the kubelet's seccomp folder as confine.json\n";
    text += "spec:\n  securityContext:\n    seccompProfile:\n      type: Localhost\n      localhostProfile: confine.json\n";
    text += "  containers:\n    - volumeMounts:\n";
    for (index, path) in paths.iter().enumerate() {
        text += &format!(
            "        - name: confine-{index}\n          mountPath: {path}\n          readOnly: true\n"
        );
    }
    text += "  volumes:\n";
    for (index, path) in paths.iter().enumerate() {
        text += &format!(
            "    - name: confine-{index}\n      hostPath:\n        path: {folder}{path}\n        type: File\n"
        );
    }
    text
}
