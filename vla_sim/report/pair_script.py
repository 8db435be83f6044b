"""The script of the page of two runs: one slider moves both pictures and the line through the figure."""

from __future__ import annotations

PLAYER_SCRIPT = """
(() => {
  const playback = JSON.parse(document.getElementById("report-data").textContent).playback;
  const player = document.getElementById("player");
  const slider = document.getElementById("time");
  const clock = document.getElementById("clock");
  const button = document.getElementById("play");
  const latest = (list, t) => list.filter((item) => item.t_s <= t).pop();
  const during = (list, t) => list.find((item) => item.t_s <= t && t < item.end_s);
  let playing = null;

  function show(t) {
    player.style.setProperty("--t", playback.end_s > 0 ? t / playback.end_s : 0);
    clock.textContent = t.toFixed(2) + " s";
    for (const [name, side] of Object.entries(playback.sides)) {
      const screen = document.getElementById("screen-" + name);
      const image = screen.querySelector("img");
      const frame = latest(side.frames, t) || side.frames[0];
      screen.classList.toggle("empty", !frame);
      if (frame && image.getAttribute("src") !== frame.src) image.src = frame.src;
      const over = t >= side.end_s;
      const words = [over ? "over" : (during(side.phases, t) || { name: "" }).name];
      if (during(side.held, t)) words.push("held: nothing to act on");
      if (during(side.outages, t)) words.push("a site is out of reach");
      screen.querySelector(".now").textContent = words.filter(Boolean).join(" \\u00b7 ") || "\\u00a0";
      screen.classList.toggle("over", over);
    }
  }

  function set(t) {
    const bounded = Math.max(0, Math.min(playback.end_s, t));
    slider.value = bounded;
    show(bounded);
  }

  function pause() {
    cancelAnimationFrame(playing);
    playing = null;
    button.textContent = "\\u25b6";
  }

  function play() {
    let t = Number(slider.value) >= playback.end_s - 0.02 ? 0 : Number(slider.value);
    let before = null;
    button.textContent = "\\u2016";
    const step = (now) => {
      t += before === null ? 0 : (now - before) / 1000;
      before = now;
      set(t);
      if (t < playback.end_s) playing = requestAnimationFrame(step);
      else pause();
    };
    playing = requestAnimationFrame(step);
  }

  button.addEventListener("click", () => (playing === null ? play() : pause()));
  slider.addEventListener("input", () => { pause(); show(Number(slider.value)); });
  for (const axis of document.querySelectorAll(".axis")) {
    axis.addEventListener("click", (event) => {
      const box = axis.getBoundingClientRect();
      const style = getComputedStyle(axis);
      const left = Number(style.getPropertyValue("--left"));
      const right = Number(style.getPropertyValue("--right"));
      pause();
      set(((event.clientX - box.left) / box.width - left) / (right - left) * playback.end_s);
    });
  }
  set(Number(new URLSearchParams(location.search).get("t")) || 0);
})();
"""
