// Sets the theme before the first paint: ?theme=dark|light wins, then what was chosen here before, else the system's.
(function () {
  var chosen = new URLSearchParams(location.search).get("theme");
  if (chosen !== "dark" && chosen !== "light") {
    try { chosen = localStorage.getItem("rostra.theme"); } catch { chosen = null; }
  }
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
})();
