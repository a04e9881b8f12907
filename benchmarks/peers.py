"""SAGANs of other authors, run from checkouts of their code.

None of their code is copied. The network classes of a peer are imported from
the path that the user gives, and are trained as in its own trainer: Adam, hinge
loss, a discriminator step and a generator step with fresh latents. The peer's
EMA generator, logging and data loading are left out, which is to its advantage.
"""

import contextlib
import pathlib
import sys
import types

LATENT_DIM = 128


class Peer:
    """A PyTorch generator and discriminator, and how they are trained."""

    import_seconds = None

    def __init__(
        self,
        size,
        checkout,
        channels_last=False,
        compiled=False,
        threads=None,
    ):
        import torch

        if threads:
            torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.torch, self.size = torch, size
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.generator, self.discriminator = (
            self._format(network.to(self.device), channels_last)
            for network in self.build(size, pathlib.Path(checkout))
        )
        if compiled:
            for network in (self.generator, self.discriminator):
                network.compile()  # In place, which keeps its class.
        images, labels = size.batch()
        images = torch.tensor(images).permute(0, 3, 1, 2).contiguous()
        self.images = self._format(images.to(self.device), channels_last)
        self.labels = torch.tensor(labels).long().to(self.device)
        self.optimizers = [
            torch.optim.Adam(network.parameters(), rate, (0.0, 0.999), 1e-8)
            for network, rate in (
                (self.generator, 1e-4),
                (self.discriminator, 4e-4),
            )
        ]

    def _format(self, x, channels_last):
        if not channels_last:
            return x
        return x.to(memory_format=self.torch.channels_last)

    def autocast(self):
        if self.size.precision == "mixed_bfloat16":
            return self.torch.autocast(self.device, self.torch.bfloat16)
        return contextlib.nullcontext()

    def parameters(self):
        return tuple(
            sum(p.numel() for p in network.parameters())
            for network in (self.generator, self.discriminator)
        )

    def draw(self, n):
        latents = self.torch.randn(n, LATENT_DIM, device=self.device)
        labels = self.torch.randint(
            self.size.num_classes, (n,), device=self.device
        )
        return latents, labels

    def train(self, steps):
        self.generator.train()
        for _ in range(steps):
            self.train_step()
        self.synchronize()

    def one_step(self):
        self.generator.train()
        self.train_step()

    def train_step(self):
        g, d, relu = self.generator, self.discriminator, self.torch.relu
        g_optimizer, d_optimizer = self.optimizers
        n = len(self.images)
        g.requires_grad_(False)
        d.requires_grad_(True)
        d_optimizer.zero_grad()
        with self.autocast():
            latents, labels = self.draw(n)
            real, fake = self.discriminate(
                self.generate(latents, labels), labels
            )
            loss = relu(1 - real).mean() + relu(1 + fake).mean()
        loss.backward()
        d_optimizer.step()
        g.requires_grad_(True)
        d.requires_grad_(False)
        g_optimizer.zero_grad()
        with self.autocast():
            latents, labels = self.draw(n)
            loss = -self.logits(self.generate(latents, labels), labels).mean()
        loss.backward()
        g_optimizer.step()

    def sample(self, n):
        """Returns uint8 images, channels last, like ours."""
        self.generator.eval()
        with self.torch.no_grad(), self.autocast():
            images = self.generate(*self.draw(n)).permute(0, 2, 3, 1)
        images = ((images.float() + 1) * 127.5).round().clamp(0, 255)
        return images.to(self.torch.uint8).cpu().numpy()

    def synchronize(self):
        if self.device == "cuda":
            self.torch.cuda.synchronize()


class StudioGAN(Peer):
    """PyTorch-StudioGAN, `src/models/resnet.py`."""

    def build(self, size, checkout):
        import torch

        sys.path.insert(0, str(checkout / "src"))
        # `utils.misc` imports the data sets, the plots and the metrics; the
        # networks use only this class of it.
        misc = types.ModuleType("utils.misc")
        misc.dummy_context_mgr = contextlib.nullcontext
        sys.modules["utils.misc"] = misc
        import utils

        utils.misc = misc
        from models import resnet
        from utils import ops

        modules = types.SimpleNamespace(
            g_bn=ops.ConditionalBatchNorm2d,
            g_act_fn=torch.nn.ReLU(inplace=True),
            d_act_fn=torch.nn.ReLU(inplace=True),
        )
        for side in "gd":
            setattr(modules, f"{side}_conv2d", ops.snconv2d)
            setattr(modules, f"{side}_linear", ops.snlinear)
            setattr(modules, f"{side}_embedding", ops.sn_embedding)
        model = types.SimpleNamespace(info_type="N/A", g_info_injection="N/A")
        attention = size.attention_resolution
        # Their places count blocks from one.
        place = {(8 << i): [i + 1] for i in range(7)}.get(attention, [])
        generator = resnet.Generator(
            z_dim=LATENT_DIM,
            g_shared_dim="N/A",
            img_size=size.resolution,
            g_conv_dim=size.base_channels,
            apply_attn=bool(attention),
            attn_g_loc=place,
            g_cond_mtd="cBN",
            num_classes=size.num_classes,
            g_init="ortho",
            g_depth="N/A",
            mixed_precision=False,
            MODULES=modules,
            MODEL=model,
        )
        places = {size.resolution >> i: [i] for i in range(1, 8)}
        discriminator = resnet.Discriminator(
            img_size=size.resolution,
            d_conv_dim=size.base_channels,
            apply_d_sn=True,
            apply_attn=bool(attention),
            attn_d_loc=places.get(attention, []),
            d_cond_mtd="PD",
            aux_cls_type="W/O",
            d_embed_dim="N/A",
            normalize_d_embed=False,
            num_classes=size.num_classes,
            d_init="ortho",
            d_depth="N/A",
            mixed_precision=False,
            MODULES=modules,
            MODEL=model,
        )
        return generator, discriminator

    def generate(self, latents, labels):
        return self.generator(latents, labels)

    def logits(self, images, labels):
        return self.discriminator(images, labels)["adv_output"]

    def discriminate(self, fakes, labels):
        # Two passes, as in its trainer.
        real = self.logits(self.images, self.labels)
        return real, self.logits(fakes, labels)


class BigGANPyTorch(Peer):
    """BigGAN-PyTorch with the options of `launch_SAGAN_bs128x2_ema.sh`."""

    def build(self, size, checkout):
        import torch

        sys.path.insert(0, str(checkout))
        import BigGAN

        common = {
            "resolution": size.resolution,
            "n_classes": size.num_classes,
            "SN_eps": 1e-8,
        }
        relu = torch.nn.ReLU(inplace=False)
        generator = BigGAN.Generator(
            G_ch=size.base_channels,
            dim_z=LATENT_DIM,
            G_attn=str(size.attention_resolution),
            G_activation=relu,
            G_init="xavier",
            G_shared=False,  # Its class would share an embedding.
            **common,
        )
        discriminator = BigGAN.Discriminator(
            D_ch=size.base_channels,
            D_attn=str(size.attention_resolution),
            D_activation=relu,
            D_init="xavier",
            **common,
        )
        return generator, discriminator

    def generate(self, latents, labels):
        return self.generator(latents, self.generator.shared(labels))

    def logits(self, images, labels):
        return self.discriminator(images, labels)

    def discriminate(self, fakes, labels):
        # One pass, as in its `G_D`.
        logits = self.logits(
            self.torch.cat([fakes, self.images]),
            self.torch.cat([labels, self.labels]),
        )
        fake, real = logits.split(len(fakes))
        return real, fake


PEERS = {"studiogan": StudioGAN, "biggan_pytorch": BigGANPyTorch}
