// The paper: black ink on white. At the end of each stroke, and for an opened file, "input" goes to Python.
const canvas = element.querySelector("canvas");
const pen = canvas.getContext("2d");
const file = element.querySelector("input");
let last = null; // where the pen is, while it is down

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [
    ((event.clientX - box.left) * canvas.width) / box.width,
    ((event.clientY - box.top) * canvas.height) / box.height,
  ];
}

function draw(event) {
  const here = place(event);
  pen.beginPath();
  pen.moveTo(...last);
  pen.lineTo(...here);
  pen.stroke();
  last = here;
}

function clear() {
  pen.fillStyle = "white";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.lineWidth = 20;
  pen.lineCap = "round";
  pen.lineJoin = "round";
}

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  last = place(event);
  draw(event); // a dot, should the pen not move
});
canvas.addEventListener("pointermove", (event) => {
  if (last) draw(event);
});
for (const end of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(end, () => {
    if (last) trigger("input", { image: canvas.toDataURL("image/png") });
    last = null;
  });
}

element.querySelector("[data-do=clear]").addEventListener("click", () => {
  clear();
  trigger("input", {});
});
element.querySelector("[data-do=open]").addEventListener("click", () => file.click());
file.addEventListener("change", () => {
  const [chosen] = file.files;
  if (!chosen) return;
  clear();
  const { name, size } = chosen;
  if (size > props.max_size) {
    trigger("input", { name, size });
  } else {
    const reader = new FileReader();
    reader.onload = () => trigger("input", { name, image: reader.result });
    reader.readAsDataURL(chosen);
  }
  file.value = ""; // the same file may be opened again
});

clear();
